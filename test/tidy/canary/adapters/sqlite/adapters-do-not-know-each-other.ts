import "../linux/fine.ts";
