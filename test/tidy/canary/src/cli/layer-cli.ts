import "../node/fine.ts";
