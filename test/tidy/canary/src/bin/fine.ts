import "../base/fine.ts";
import "../stores/fine.ts";
import "../../adapters/linux/fine.ts";
