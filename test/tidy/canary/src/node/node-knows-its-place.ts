import "../cli/fine.ts";
