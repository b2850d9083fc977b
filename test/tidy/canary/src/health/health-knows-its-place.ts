import "../config/fine.ts";
