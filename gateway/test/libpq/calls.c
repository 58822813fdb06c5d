/*
 * Function calls by libpq. "calls CONNINFO lo FOLDER" goes through the client functions of large objects (35.3 of the
 * documentation); "calls CONNINFO fn OID ARGUMENT..." calls one function by its number, with texts. Prints what comes back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As libpq-fe.h and libpq-fs.h declare them: the headers are not always there. */
typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef struct {
  int len;
  int isint;
  union {
    int *ptr;
    int integer;
  } u;
} PQArgBlock;
typedef unsigned int Oid;
typedef long long Size;
extern PGconn *PQconnectdb(const char *);
extern int PQstatus(const PGconn *);
extern char *PQerrorMessage(const PGconn *);
extern PGresult *PQexec(PGconn *, const char *);
extern int PQresultStatus(const PGresult *);
extern void PQclear(PGresult *);
extern void PQfinish(PGconn *);
extern PGresult *PQfn(PGconn *, int, int *, int *, int, const PQArgBlock *, int);
extern Oid lo_creat(PGconn *, int);
extern Oid lo_create(PGconn *, Oid);
extern Oid lo_import(PGconn *, const char *);
extern int lo_export(PGconn *, Oid, const char *);
extern int lo_open(PGconn *, Oid, int);
extern int lo_close(PGconn *, int);
extern int lo_read(PGconn *, int, char *, size_t);
extern int lo_write(PGconn *, int, const char *, size_t);
extern int lo_lseek(PGconn *, int, int, int);
extern Size lo_lseek64(PGconn *, int, Size, int);
extern int lo_tell(PGconn *, int);
extern Size lo_tell64(PGconn *, int);
extern int lo_truncate(PGconn *, int, size_t);
extern int lo_unlink(PGconn *, Oid);
#define INV_WRITE 0x00020000
#define INV_READ 0x00040000

static char big[300000];

static void run(PGconn *conn, const char *text) { PQclear(PQexec(conn, text)); }

static void report(PGconn *conn, const char *step, Size value) {
  printf("%s %lld\n", step, value);
  if (value < 0) printf("  %s", PQerrorMessage(conn));
}

static void objects(PGconn *conn, const char *folder) {
  char path[1000], copy[1000], read[64];
  memset(big, 'x', sizeof big);
  snprintf(path, sizeof path, "%s/in", folder);
  snprintf(copy, sizeof copy, "%s/out", folder);
  FILE *file = fopen(path, "wb");
  fwrite(big, 1, sizeof big, file);
  fclose(file);
  run(conn, "begin");
  report(conn, "create", lo_create(conn, 700001));
  int at = lo_open(conn, 700001, INV_READ | INV_WRITE);
  report(conn, "open", at);
  report(conn, "write", lo_write(conn, at, "hello\0world", 11));
  report(conn, "tell", lo_tell(conn, at));
  report(conn, "seek", lo_lseek(conn, at, 6, SEEK_SET));
  int size = lo_read(conn, at, read, sizeof read);
  report(conn, "read", size);
  if (size > 0) printf("  %.*s\n", size, read);
  report(conn, "seek64", lo_lseek64(conn, at, 2000000000LL, SEEK_SET));
  report(conn, "tell64", lo_tell64(conn, at));
  report(conn, "write", lo_write(conn, at, big, sizeof big));
  report(conn, "truncate", lo_truncate(conn, at, 5));
  report(conn, "close", lo_close(conn, at));
  run(conn, "commit");
  run(conn, "begin");
  Oid imported = lo_import(conn, path);
  report(conn, "import", imported == 0 ? -1 : 0);
  report(conn, "export", lo_export(conn, imported, copy));
  run(conn, "commit");
  file = fopen(copy, "rb");
  report(conn, "exported", file ? (Size)fread(big, 1, sizeof big, file) : -1);
  if (file) fclose(file);
  run(conn, "begin");
  report(conn, "missing", lo_open(conn, 1, INV_READ));
  run(conn, "rollback");
  run(conn, "begin");
  report(conn, "unlink", lo_unlink(conn, 700001));
  report(conn, "unlink", lo_unlink(conn, imported));
  run(conn, "commit");
}

static void call(PGconn *conn, int oid, int count, char **texts) {
  static char result[100000];
  PQArgBlock args[10];
  for (int at = 0; at < count && at < 10; at++) {
    int isNumber = strncmp(texts[at], "int:", 4) == 0;
    args[at].isint = isNumber;
    args[at].len = isNumber ? 4 : (int)strlen(texts[at]);
    if (isNumber) args[at].u.integer = atoi(texts[at] + 4);
    else args[at].u.ptr = (int *)texts[at];
  }
  int size = -2;
  PGresult *answer = PQfn(conn, oid, (int *)result, &size, 0, args, count);
  if (PQresultStatus(answer) != 1) printf("%s", PQerrorMessage(conn));
  else if (size < 0) printf("NULL\n");
  else printf("%.*s\n", size, result);
  PQclear(answer);
}

int main(int argc, char **argv) {
  PGconn *conn = PQconnectdb(argv[1]);
  if (PQstatus(conn) != 0) {
    fprintf(stderr, "%s", PQerrorMessage(conn));
    return 1;
  }
  if (strcmp(argv[2], "lo") == 0) objects(conn, argv[3]);
  else call(conn, atoi(argv[3]), argc - 4, argv + 4);
  PQfinish(conn);
  return 0;
}
