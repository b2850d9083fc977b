import "../../test/fine.ts";
