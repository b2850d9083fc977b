import "../election/fine.ts";
