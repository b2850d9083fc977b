import "./stores.ts";
