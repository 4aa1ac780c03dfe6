// Shows each <time> in the viewer's own zone; the exact value stays on hover.
const short = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' });
const hour = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: 'short' });
const exact = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'full', timeStyle: 'long' });

function localise() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.title = `${exact.format(moment)} (${element.dateTime})`;
    element.textContent = short.format(moment);
  }
  for (const text of document.querySelectorAll('svg text[data-time]')) {
    text.textContent = hour.format(new Date(text.dataset.time));
  }
}

localise();
document.addEventListener('content', localise);
