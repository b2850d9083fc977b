import "../cli/layer-cli.ts";
