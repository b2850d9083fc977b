import "../checks/fine.ts";
