import "../../src/election/fine.ts";
