import "pino";
