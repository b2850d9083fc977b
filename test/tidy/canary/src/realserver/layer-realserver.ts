import "../hooks/fine.ts";
