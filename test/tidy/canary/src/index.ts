import "./admin/fine.ts";
