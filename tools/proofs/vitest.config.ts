import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: ".vite", // node_modules is read-only
  test: { environment: "jsdom", globals: true, fsModuleCache: false, testTimeout: 20_000 },
});
