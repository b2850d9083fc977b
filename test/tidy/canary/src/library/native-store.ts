import "../../adapters/linux/native.ts";
