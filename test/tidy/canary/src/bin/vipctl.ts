import "../cli/cli-knows-its-place.ts";
