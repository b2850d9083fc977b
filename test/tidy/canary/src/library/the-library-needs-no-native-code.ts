import "./native-store.ts";
