// A short message centre on 127.0.0.1, by the npm package smpp. Writes a JSON line for each bind and each submission;
// the last digit of the recipient says what becomes of a message. The first line is the port.
const smpp = require('smpp');
let count = 0;
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const WORDS = { 1: ['UNDELIV', 5], 2: ['EXPIRED', 3], 9: ['ENROUTE', 1] };

const server = smpp.createServer({}, (session) => {
  session.on('error', () => {});
  session.on('bind_transceiver', (pdu) => {
    const welcome = pdu.system_id === 'punkt' && pdu.password === 'geheim';
    say({ bind: { system_id: pdu.system_id, version: pdu.interface_version, welcome } });
    session.send(pdu.response(welcome ? {} : { command_status: smpp.ESME_RBINDFAIL }));
    if (!welcome) session.close();
  });
  session.on('enquire_link', (pdu) => { say({ enquire_link: true }); session.send(pdu.response()); });
  session.on('unbind', (pdu) => { say({ unbind: true }); session.send(pdu.response()); session.close(); });
  session.on('deliver_sm_resp', (pdu) => say({ acknowledged: pdu.command_status }));
  session.on('submit_sm', (pdu) => {
    const id = 'm' + (++count);
    const text = pdu.short_message.message;
    say({ submit: {
      id, text: Buffer.isBuffer(text) ? text.toString('hex') : text,
      from: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
      to: [pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr],
      data_coding: pdu.data_coding, esm_class: pdu.esm_class,
      registered_delivery: pdu.registered_delivery, // the library turns a relative period into an instant
      valid_minutes: Math.round((new Date(pdu.validity_period) - Date.now()) / 60000),
    } });
    const last = pdu.destination_addr.slice(-1);
    if (last === '3') return session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
    if (last === '4') return session.send(pdu.response({ command_status: smpp.ESME_RMSGQFUL }));
    if (last === '5') return undefined;
    if (last === '6') return session.close();
    const [word, state] = WORDS[last] || ['DELIVRD', 2];
    const receipt = () => session.deliver_sm({
      source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2611210010 done date:2611210010 stat:${word} err:000 text:`,
      ...(last === '8' ? {} : { receipted_message_id: id, message_state: state }),
    });
    if (last === '7') receipt();
    session.send(pdu.response({ message_id: id }));
    if (last !== '7' && (pdu.registered_delivery & 1)) receipt();
    return undefined;
  });
});
server.listen(Number(process.argv[2] || 0), '127.0.0.1', () => say({ port: server.address().port }));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
