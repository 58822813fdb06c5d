/** What is wider than a telephone. Owns: that the keyboard reaches it, so that it can be scrolled. */
import type { ReactNode } from 'react';

export const Scroll = ({ label, children }: { readonly label: string; readonly children: ReactNode }): ReactNode => (
  // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
  <div className="scroll" tabIndex={0} role="group" aria-label={label}>
    {children}
  </div>
);
