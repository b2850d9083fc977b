import "../stores/fine.ts";
