// Sends what plain forms can't, raw bodies and OPTIONS, and puts the page that
// comes back in place of this one. Without it the forms work as forms do.
const main = document.querySelector('#main');

function token() {
  return document.querySelector('input[name=csrfmiddlewaretoken]')?.value ?? '';
}

async function send(method, url, type, body) {
  main.classList.add('busy');
  main.setAttribute('aria-busy', 'true');
  try {
    const headers = { Accept: 'text/html', 'X-CSRFToken': token() };
    if (type) headers['Content-Type'] = type;
    const answer = await fetch(url, { method, headers, body, credentials: 'same-origin' });
    show(await answer.text());
  } catch {
    complain();
  } finally {
    main.classList.remove('busy');
    main.removeAttribute('aria-busy');
  }
}

function show(html) {
  const page = new DOMParser().parseFromString(html, 'text/html');
  if (!page.querySelector('#main')) return complain();
  document.title = page.title;
  main.replaceChildren(...page.querySelector('#main').childNodes);
  document.querySelector('.who').replaceChildren(...page.querySelector('.who').childNodes);
  document.dispatchEvent(new Event('content')); // time.js
  improve();
  document.querySelector('#response')?.focus();
}

function complain() {
  const text = document.createElement('p');
  text.className = 'errors';
  text.setAttribute('role', 'alert');
  text.textContent = main.dataset.unreachable ?? 'The server did not answer. Try again.';
  main.prepend(text);
}

function improve() {
  for (const element of main.querySelectorAll('[data-raw], [data-method]')) element.hidden = false;
  for (const button of main.querySelectorAll('[data-method]')) {
    button.addEventListener('click', () => send(button.dataset.method, button.dataset.action));
  }
  main.querySelector('form[data-form=raw]')?.addEventListener('submit', (event) => {
    event.preventDefault();
    const form = event.target;
    send('POST', form.getAttribute('action'), form.elements._type.value, form.elements._body.value);
  });
}

improve();
