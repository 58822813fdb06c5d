// Colours of code, by classes: a style in an element would need a weaker Content-Security-Policy. theme/style.css has the colours.
import { createCssVariablesTheme, createHighlighter } from 'shiki';

const THEME = 'css-variables';
const LANGUAGES = ['sh', 'yaml', 'json', 'sql', 'ts'];
const highlighter = await createHighlighter({ themes: [createCssVariablesTheme()], langs: LANGUAGES });

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** `var(--shiki-token-keyword)` has the class `token-keyword`. */
function span({ content, color = '' }) {
  const [, name] = /^var\(--shiki-(token-[\w-]+)\)$/.exec(color) ?? [];
  return name === undefined ? escaped(content) : `<span class="${name}">${escaped(content)}</span>`;
}

/** A block of code in one of the languages above; one in another is a plain text. */
export function highlight(text, language) {
  const lang = LANGUAGES.includes(language) ? language : 'text';
  const { tokens } = highlighter.codeToTokens(text.replace(/\n$/, ''), { lang, theme: THEME });
  const lines = tokens.map((line) => `<span class="line">${line.map(span).join('')}</span>`);
  return `<pre class="shiki" tabindex="0" v-pre><code>${lines.join('\n')}</code></pre>`;
}
