import { render } from 'preact';
import { App } from './app.tsx';

const page = document.getElementById('page');
if (!page) throw new Error('Expected an element with the id "page" to draw into');
render(<App />, page);
