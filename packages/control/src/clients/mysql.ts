/** What clients of MySQL and MariaDB are told. The connection is named in the user name. Does not: make tokens. Pure. */
import { type ClientSnippets, TOKEN, placeOf, shellQuoted } from './client.js';

export const mysql: ClientSnippets = {
  protocol: 'mysql',
  of: (endpoint) => {
    const { host, port, user, connection, tls } = endpoint;
    const name = `${user}%${connection}`;
    const query = new URLSearchParams({ user: name, sslMode: tls ? 'trust' : 'disable' });
    return [
      {
        client: 'mariadb',
        about: 'In a terminal. The token is the password. The program "mysql" takes the same words.',
        text: `MYSQL_PWD=${TOKEN} mariadb --protocol=tcp -h ${shellQuoted(host)} -P ${port} -u ${shellQuoted(name)}`,
      },
      {
        client: 'JDBC',
        about: 'The user is in the address; give the token as the password.',
        text: `jdbc:mariadb://${placeOf(endpoint)}/?${query}`,
      },
      {
        client: 'DBeaver',
        about: 'What to fill in for a new MariaDB or MySQL connection.',
        text: [`Server host: ${host}`, `Port: ${port}`, `Username: ${name}`, `Password: ${TOKEN}`].join('\n'),
      },
    ];
  },
};
