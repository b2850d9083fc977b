// Version 3 beside a real keepalived: parts of a second, multicast and unicast, IPv4 and IPv6.

import { type Dialect, LINK_LOCAL, V4, V6 } from "./parties.ts";
import { speaksWithKeepalived } from "./succession.ts";

const MULTICAST: Dialect = { version: 3, intervalMs: 200, unicast: false, ...V4 };

speaksWithKeepalived("version 3", MULTICAST);
speaksWithKeepalived("version 3, unicast", { ...MULTICAST, unicast: true });
speaksWithKeepalived("version 3, IPv6", { ...MULTICAST, ...LINK_LOCAL });
speaksWithKeepalived("version 3, IPv6, unicast", { ...MULTICAST, ...V6, unicast: true });
