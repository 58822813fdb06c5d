// Prisma by its adapter over mariadb of npm: queries, nested transactions, raw SQL. Its client has to be generated in CLIENT_MODULES.
import { WHERE, failed, from, show } from './packages.mjs';

const { PrismaClient } = from('@prisma/client');
const { PrismaMariaDb } = from('@prisma/adapter-mariadb');
const prisma = new PrismaClient({ adapter: new PrismaMariaDb({ ...WHERE, connectionLimit: 3 }) });
await prisma.sink.deleteMany();
show('people', await prisma.people.findMany({ orderBy: { id: 'asc' } }));
show('one', await prisma.people.findUnique({ where: { id: 1 } }));
show('none', await prisma.people.findFirst({ where: { nick: { contains: 'zz' } } }));
show('created', (await prisma.sink.createMany({ data: [{ body: 'a' }, { body: "it's" }, { body: null }] })).count);
show('made', (await prisma.sink.create({ data: { body: 'x'.repeat(70_000) } })).body.length);
show('updated', (await prisma.sink.updateMany({ where: { body: null }, data: { body: 'set' } })).count);
show(
  'grouped',
  await prisma.sink.groupBy({
    by: ['body'],
    _count: true,
    where: { body: { in: ['a', 'set'] } },
    orderBy: { body: 'asc' },
  }),
);
await prisma
  .$transaction(async (tx) => {
    await tx.sink.deleteMany();
    throw new Error('back');
  })
  .catch(() => undefined);
show('left', await prisma.sink.count());
show(
  'both',
  await prisma.$transaction([prisma.sink.count(), prisma.people.count()], { isolationLevel: 'Serializable' }),
);
show('raw', await prisma.$queryRaw`SELECT id, nick, mail FROM people WHERE id = ${1}`);
show('kinds', await prisma.$queryRawUnsafe('SELECT * FROM kinds'));
show('executed', await prisma.$executeRaw`UPDATE sink SET body = ${'z'} WHERE body = ${'a'}`);
show('twice', await failed(prisma.people.create({ data: { id: 1, nick: 'twice' } })));
await prisma.$disconnect();
