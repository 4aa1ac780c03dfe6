// Lets the reader try the calls that the page describes. They are real.
const docs = document.querySelector('[data-docs]');
let lastToken = '';

function token() {
  for (const pair of document.cookie.split('; ')) {
    const [name, value] = pair.split('=');
    if (name === docs.dataset.cookie) return value;
  }
  return lastToken; // the cookie may be hidden from scripts
}

async function send(form) {
  const answer = form.querySelector('.answer');
  const { method, path } = form.dataset;
  const headers = { Accept: 'application/json', 'X-CSRFToken': token() };
  const body = form.elements.body?.value;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  form.classList.add('busy');
  try {
    const response = await fetch(path, { method, headers, body, credentials: 'same-origin' });
    const text = await response.text();
    const lines = [`HTTP ${response.status} ${response.statusText}`];
    for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
    answer.textContent = `${lines.join('\n')}\n\n${pretty(text)}`;
  } catch {
    answer.textContent = docs.dataset.unreachable;
  }
  form.classList.remove('busy');
  answer.hidden = false;
}

function pretty(text) {
  try {
    const value = JSON.parse(text);
    lastToken = value?.csrf_token ?? lastToken;
    return JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}

for (const form of docs.querySelectorAll('form.try')) {
  form.hidden = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form);
  });
}
