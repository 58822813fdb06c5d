import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;

class Jdbc {
  public static void main(String[] args) throws Exception {
    String place = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/db";
    try (Connection db = DriverManager.getConnection(place, "dev", System.getenv("PGPASSWORD"))) {
      db.setAutoCommit(false);
      try (PreparedStatement update = db.prepareStatement("update t set name = ? where id = ?")) {
        for (String name : new String[] {"jdbc", "jdbc again"}) {
          update.setString(1, name);
          update.setInt(2, Integer.parseInt(System.getenv("ROW")));
          update.addBatch();
        }
        update.executeBatch();
        db.commit();
        System.out.println("committed");
      } catch (SQLException error) {
        System.out.println("refused: " + error.getMessage());
      }
    }
  }
}
