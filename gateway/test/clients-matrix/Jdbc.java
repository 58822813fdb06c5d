import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.sql.Types;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.postgresql.PGConnection;

class Jdbc {
  interface Cell {
    String run(Connection db) throws Exception;
  }

  static final String TABLE = System.getenv("MATRIX_TABLE");
  static final int ROWS = Integer.parseInt(System.getenv("MATRIX_ROWS"));

  static String digest(String text) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  static String all(ResultSet rows) throws Exception {
    StringBuilder text = new StringBuilder();
    int columns = rows.getMetaData().getColumnCount();
    while (rows.next()) for (int at = 1; at <= columns; at++) text.append(rows.getString(at)).append('|');
    return text.toString();
  }

  static String query(Connection db, String sql) throws Exception {
    try (Statement statement = db.createStatement()) {
      return all(statement.executeQuery(sql));
    }
  }

  static String count(Connection db) throws Exception {
    return query(db, "select count(*), sum(length(body)) from " + TABLE);
  }

  static Cell insert(int depth) {
    return db -> {
      try (PreparedStatement statement = db.prepareStatement("insert into " + TABLE + " values (?, ?)")) {
        int total = depth == 1 ? 20 : 250;
        for (int done = 0; done < total; done += depth) {
          for (int n = 0; n < depth; n++) {
            statement.setInt(1, done + n);
            statement.setString(2, "y".repeat(1000 + n));
            statement.addBatch();
          }
          statement.executeBatch();
        }
      }
      return count(db);
    };
  }

  static Map<String, Cell> cells() {
    Map<String, Cell> cells = new LinkedHashMap<>();
    cells.put("rows", db -> {
      try (PreparedStatement statement = db.prepareStatement("select * from source where id > ? order by id")) {
        statement.setInt(1, 0);
        return digest(all(statement.executeQuery()));
      }
    });
    cells.put("cursor", db -> {
      db.setAutoCommit(false);
      try (Statement statement = db.createStatement()) {
        statement.setFetchSize(400);
        return digest(all(statement.executeQuery("select * from source order by id")));
      } finally {
        db.commit();
        db.setAutoCommit(true);
      }
    });
    cells.put("copy out", db -> {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      db.unwrap(PGConnection.class).getCopyAPI().copyOut("copy (select * from source order by id) to stdout", out);
      return digest(out.toString(StandardCharsets.UTF_8));
    });
    cells.put("copy in", db -> {
      StringBuilder lines = new StringBuilder();
      for (int id = 0; id < ROWS; id++) lines.append(id).append("\tline ").append(id).append('\n');
      byte[] bytes = lines.toString().getBytes(StandardCharsets.UTF_8);
      db.unwrap(PGConnection.class).getCopyAPI()
          .copyIn("copy " + TABLE + " from stdin", new ByteArrayInputStream(bytes), 100);
      return count(db);
    });
    cells.put("large parameter", db -> {
      try (PreparedStatement statement = db.prepareStatement("select md5(?::text), length(?::bytea)")) {
        statement.setString(1, "ä".repeat(1_500_000));
        statement.setBytes(2, new byte[3_000_000]);
        return all(statement.executeQuery());
      }
    });
    cells.put("call", db -> {
      try (CallableStatement statement = db.prepareCall("{? = call upper(?)}")) {
        statement.registerOutParameter(1, Types.VARCHAR);
        statement.setString(2, "aß");
        statement.execute();
        return statement.getString(1);
      }
    });
    cells.put("hidden columns", db -> query(db, "select id, unread(id) as n from people order by id"));
    cells.put("people", db -> query(db, "select * from people order by id"));
    Matcher depths = Pattern.compile("\\d+").matcher(System.getenv("MATRIX_DEPTHS"));
    while (depths.find()) {
      int depth = Integer.parseInt(depths.group());
      cells.put("insert " + depth, insert(depth));
    }
    return cells;
  }

  static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }

  public static void main(String[] arguments) throws Exception {
    Pattern field = Pattern.compile("\"(name|port|user|password|database)\":\"?([^\",}]*)");
    for (String part : System.getenv("MATRIX_WAYS").split("\\},")) {
      Map<String, String> way = new LinkedHashMap<>();
      for (Matcher found = field.matcher(part); found.find(); ) way.put(found.group(1), found.group(2));
      String url = "jdbc:postgresql://127.0.0.1:" + way.get("port") + "/" + way.get("database") + "?sslmode=disable";
      try (Connection db = DriverManager.getConnection(url, way.get("user"), way.get("password"))) {
        for (Map.Entry<String, Cell> cell : cells().entrySet()) {
          try (Statement statement = db.createStatement()) {
            statement.execute("delete from " + TABLE);
          }
          String value;
          try {
            value = cell.getValue().run(db);
          } catch (java.sql.SQLException error) {
            value = "error: " + error.getMessage();
          }
          System.out.println("{\"way\":" + quoted(way.get("name")) + ",\"cell\":" + quoted(cell.getKey())
              + ",\"value\":" + quoted(value) + "}");
        }
      }
    }
  }
}
