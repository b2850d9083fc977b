// A daemon that idles most of the time needs no large nursery: V8 would let it grow to tens of megabytes before it
// cleans up. Imported first, so that it holds for everything that is loaded after it.

import { setFlagsFromString } from "node:v8";

setFlagsFromString("--max-semi-space-size=1");
setFlagsFromString("--semi-space-growth-factor=1");
