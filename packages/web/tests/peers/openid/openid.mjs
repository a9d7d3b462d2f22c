// An OpenID provider on 127.0.0.1, by the npm package oidc-provider. Whoever signs in is in the groups that stand behind
// the login: `anna.desk.chiefs` is anna of desk and chiefs. A line that comes in rotates the keys. The first line out is
// the issuer.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [folder, redirect, signedOut] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${folder}/node_modules/oidc-provider/lib/index.js`));
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
let generation = 0;
const key = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${++generation}`, use: 'sig', alg: 'RS256' };
};
const make = (issuer) => new Provider(issuer, {
  clients: [{
    client_id: 'punkt', client_secret: 'a secret of the town & more',
    redirect_uris: [redirect], post_logout_redirect_uris: [signedOut],
  }],
  jwks: { keys: [key()] },
  cookies: { keys: ['only a test'] },
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'groups'],
  claims: { openid: ['sub'], profile: ['name'], groups: ['groups'] },
  findAccount: (_, id) => {
    const [person, ...groups] = id.split('.');
    return { accountId: id, claims: () => ({ sub: person, name: `Person ${person}`, groups }) };
  },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
});

const server = createServer((request, response) => provider.callback()(request, response));
let provider;
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  provider = make(issuer);
  say({ issuer });
  createInterface({ input: process.stdin })
    .on('line', () => { provider = make(issuer); say({ generation }); })
    .on('close', () => process.exit(0));
});
