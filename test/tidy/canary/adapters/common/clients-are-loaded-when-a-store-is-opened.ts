import "../sqlite/index.ts";
