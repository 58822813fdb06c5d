/*
 * A client of libpq 18 that logs in with a bearer token from its first argument, and prints one value. The declarations are
 * those of libpq-fe.h of PostgreSQL 18 (documentation, 32.20 "OAuth Support"), so that no header of it has to be installed.
 *
 *     oauth TOKEN CONNINFO QUERY
 */
#include <stdio.h>

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;

typedef struct PGoauthBearerRequest
{
	const char *openid_configuration;
	const char *scope;
	int (*async) (PGconn *conn, struct PGoauthBearerRequest *request, int *altsock);
	void (*cleanup) (PGconn *conn, struct PGoauthBearerRequest *request);
	char *token;
	void *user;
} PGoauthBearerRequest;

enum { PQAUTHDATA_OAUTH_BEARER_TOKEN = 1, CONNECTION_OK = 0 };

extern PGconn *PQconnectdb(const char *conninfo);
extern int PQstatus(const PGconn *conn);
extern char *PQerrorMessage(const PGconn *conn);
extern PGresult *PQexec(PGconn *conn, const char *query);
extern char *PQgetvalue(const PGresult *res, int row, int column);
extern void PQfinish(PGconn *conn);
extern void PQsetAuthDataHook(int (*hook) (int type, PGconn *conn, void *data));

static char *token;

static int
hook(int type, PGconn *conn, void *data)
{
	PGoauthBearerRequest *request = data;

	if (type != PQAUTHDATA_OAUTH_BEARER_TOKEN)
		return 0;
	fprintf(stderr, "asked for a token of %s for %s\n", request->openid_configuration, request->scope ? request->scope : "");
	request->token = token;
	return 1;
}

int
main(int argc, char **argv)
{
	PGconn *conn;

	if (argc != 4)
		return 2;
	token = argv[1];
	PQsetAuthDataHook(hook);
	conn = PQconnectdb(argv[2]);
	if (PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(conn));
		return 1;
	}
	printf("%s\n", PQgetvalue(PQexec(conn, argv[3]), 0, 0));
	PQfinish(conn);
	return 0;
}
