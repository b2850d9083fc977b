import "../ports/fine.ts";
