import "../../adapters/sqlite/adapter.ts";
