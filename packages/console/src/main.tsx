/** Where the console begins in a browser. Owns: how it looks as a whole, and what every page stands on. Does not: any page. */
import '@mantine/core/styles.css';
import './style.css';
import { MantineProvider, createTheme } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from './data/queries.js';
import { router } from './router.js';

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.content ?? '';
// Where dialogs keep the page behind them from moving, their style is an element of its own.
Object.assign(globalThis, { __webpack_nonce__: nonce });

const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: 8,
  autoContrast: true,
  fontFamily: 'system-ui, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  defaultRadius: 'md',
  respectReducedMotion: true,
});

/** Words that are less important have to be read all the same (WCAG 2.2, 1.4.3). */
const readable = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#565e66',
    '--mantine-color-placeholder': '#6a7178',
    '--mantine-color-error': '#c22323',
  },
  dark: {
    '--mantine-color-dimmed': '#a9abb0',
    '--mantine-color-placeholder': '#9a9ca1',
    '--mantine-color-error': '#ff8787',
  },
});

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        defaultColorScheme="auto"
        getStyleNonce={() => nonce}
        cssVariablesResolver={readable}
      >
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
