// Node's HTTP, got in the way that loads nothing else. An import of it as a module reads all its exports, and some of them
// load Node's whole web client: tens of milliseconds and megabytes in each program.

const http = process.getBuiltinModule("node:http");

export const { createServer, request } = http;
