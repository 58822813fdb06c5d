// How the console is built: pages of their own, all of it from the gateway itself. scripts/console.mjs runs it.
import react from '@vitejs/plugin-react';

export default {
  root: import.meta.dirname,
  base: '/',
  plugins: [react()],
  logLevel: 'warn',
  build: {
    outDir: 'dist/app',
    emptyOutDir: true,
    // Everything is a file: the Content-Security-Policy takes no data but pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
};
