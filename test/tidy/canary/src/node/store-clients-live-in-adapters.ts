import "ioredis";
