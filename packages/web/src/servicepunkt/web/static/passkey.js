// Passkeys. A form with [data-passkey] asks the browser for one and is sent with the answer in its hidden field: "new"
// makes one from the options that stand in the page, "sign-in" fetches a challenge and shows one. Without a script, or
// in a browser without passkeys, the form stays hidden and the password does.
for (const form of document.querySelectorAll('form[data-passkey]')) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON || !window.isSecureContext) continue;
  form.hidden = false;
  const failed = document.getElementById('passkey-failed');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const answer = form.dataset.passkey === 'new' ? await made(form) : await shown(form);
      form.elements.credential.value = JSON.stringify(answer.toJSON());
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}

function made(form) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(form.dataset.options));
  return navigator.credentials.create({ publicKey });
}

async function shown(form) {
  const asked = await fetch(form.dataset.begin, { method: 'POST', body: new URLSearchParams({ _csrf_token: form.elements._csrf_token.value }) });
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await asked.json());
  return navigator.credentials.get({ publicKey });
}
