import "../../adapters/linux/fine.ts";
