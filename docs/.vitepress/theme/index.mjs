// The theme of VitePress without its fonts, which are 800 KiB and no part of what is said.
import DefaultTheme from 'vitepress/theme-without-fonts';
import './style.css';

export default DefaultTheme;
