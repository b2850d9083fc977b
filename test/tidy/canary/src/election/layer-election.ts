import "../runtime/fine.ts";
