import java.sql.*;

/** Connector/J of MariaDB: text and binary protocol, batches, several results, generated keys, errors, metadata. */
public class Jdbc {
  static final String[] OPTIONS = {
    "", "useServerPrepStmts=true", "rewriteBatchedStatements=true", "useBatchMultiSend=true&useServerPrepStmts=true",
    "allowMultiQueries=true", "useBulkStmts=true&useServerPrepStmts=true"
  };

  public static void main(String[] given) throws Exception {
    for (String options : OPTIONS) {
      System.out.println("== " + options);
      String url = "jdbc:mariadb://127.0.0.1:" + System.getenv("CLIENT_PORT") + "/" + System.getenv("CLIENT_DATABASE")
          + "?sslMode=trust&useSsl=false&" + options;
      try (Connection connection =
          DriverManager.getConnection(url, System.getenv("CLIENT_USER"), System.getenv("CLIENT_PASSWORD"))) {
        run(connection, options);
      }
    }
  }

  static void run(Connection connection, String options) throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.execute("DELETE FROM sink");
      print(statement.executeQuery("SELECT id, nick, mail FROM people ORDER BY id"));
      print(statement.executeQuery("SELECT * FROM kinds"));
      System.out.println(statement.executeUpdate("INSERT INTO sink (body) VALUES ('a'), ('b')"));
      if (options.contains("allowMultiQueries")) {
        boolean rows = statement.execute("SELECT 1 AS a; UPDATE sink SET body = 'c'; SELECT 'x;y' AS b");
        for (; ; rows = statement.getMoreResults()) {
          if (rows) print(statement.getResultSet());
          else if (statement.getUpdateCount() < 0) break;
          else System.out.println("updated " + statement.getUpdateCount());
        }
      }
      fails(statement, "SELECT * FROM nowhere");
      fails(statement, "SELECT 1 +");
    }
    try (PreparedStatement prepared = connection.prepareStatement("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e")) {
      prepared.setInt(1, 7);
      prepared.setString(2, "it's \\ \" é");
      prepared.setNull(3, Types.VARCHAR);
      prepared.setTimestamp(4, Timestamp.valueOf("2024-02-29 12:34:56.789"));
      prepared.setBytes(5, new byte[] {0, 39, 92, -1});
      print(prepared.executeQuery());
      prepared.setString(2, "again");
      print(prepared.executeQuery());
    }
    try (PreparedStatement prepared = connection.prepareStatement("SELECT * FROM kinds WHERE a = ?")) {
      prepared.setInt(1, -1);
      print(prepared.executeQuery());
    }
    try (PreparedStatement prepared =
        connection.prepareStatement("INSERT INTO sink (body) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
      for (int at = 0; at < 300; at++) {
        prepared.setString(1, "row " + at);
        prepared.addBatch();
      }
      System.out.println("batch " + prepared.executeBatch().length);
    }
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("DELETE FROM sink");
      Savepoint point = connection.setSavepoint();
      statement.executeUpdate("INSERT INTO sink (body) VALUES ('gone')");
      connection.rollback(point);
      connection.rollback();
      print(statement.executeQuery("SELECT COUNT(*) AS n, MIN(body) AS low FROM sink"));
    }
    connection.setAutoCommit(true);
    try (Statement statement = connection.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
      statement.setFetchSize(10);
      print(statement.executeQuery("SELECT COUNT(*) AS n FROM (SELECT body FROM sink LIMIT 100) s"));
    }
    try (CallableStatement call = connection.prepareCall("{call many()}")) {
      boolean rows = call.execute();
      for (; ; rows = call.getMoreResults()) {
        if (rows) print(call.getResultSet());
        else if (call.getUpdateCount() < 0) break;
        else System.out.println("updated " + call.getUpdateCount());
      }
    }
    try (CallableStatement call = connection.prepareCall("{call doubled(?, ?)}")) {
      call.setInt(1, 21);
      call.registerOutParameter(2, Types.INTEGER);
      call.execute();
      System.out.println("out " + call.getInt(2));
    }
    DatabaseMetaData about = connection.getMetaData();
    try (ResultSet columns = about.getColumns(connection.getCatalog(), null, "people", null)) {
      while (columns.next()) System.out.println(columns.getString(4) + " " + columns.getString(6));
    }
    try (ResultSet keys = about.getPrimaryKeys(connection.getCatalog(), null, "people")) {
      while (keys.next()) System.out.println(keys.getString(4));
    }
    System.out.println("valid " + connection.isValid(5));
  }

  static void fails(Statement statement, String text) {
    try {
      statement.execute(text);
      System.out.println("no error");
    } catch (SQLException error) {
      System.out.println("error " + error.getErrorCode() + " " + error.getSQLState());
    }
  }

  static void print(ResultSet rows) throws SQLException {
    ResultSetMetaData about = rows.getMetaData();
    StringBuilder head = new StringBuilder();
    for (int at = 1; at <= about.getColumnCount(); at++)
      head.append(about.getColumnLabel(at)).append(' ').append(about.getColumnTypeName(at)).append(", ");
    System.out.println(head);
    while (rows.next()) {
      StringBuilder line = new StringBuilder();
      for (int at = 1; at <= about.getColumnCount(); at++) {
        Object value = rows.getObject(at);
        line.append(value instanceof byte[] bytes ? java.util.HexFormat.of().formatHex(bytes) : value).append(" | ");
      }
      System.out.println(line);
    }
    rows.close();
  }
}
