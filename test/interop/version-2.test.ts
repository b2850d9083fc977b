// Version 2 beside a real keepalived: seconds, multicast and unicast, with and without a password.

import { type Dialect, V4 } from "./parties.ts";
import { speaksWithKeepalived } from "./succession.ts";

const MULTICAST: Dialect = { version: 2, intervalMs: 1_000, unicast: false, ...V4 };

speaksWithKeepalived("version 2", MULTICAST);
speaksWithKeepalived("version 2, password", { ...MULTICAST, password: "verylongsecret" });
speaksWithKeepalived("version 2, unicast", { ...MULTICAST, unicast: true });
