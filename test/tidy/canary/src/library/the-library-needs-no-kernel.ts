import "../stores/stores-load-store-adapters-only.ts";
