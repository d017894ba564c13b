// pgjdbc: the extended protocol, prepared after some runs, binary values, batches, and DatabaseMetaData.
import java.io.StringReader;
import java.io.StringWriter;
import java.net.URI;
import java.sql.*;
import java.util.*;
import java.util.concurrent.Callable;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

public class JdbcSteps {
  static String base;
  static Properties login = new Properties();

  static String json(Object value) {
    if (value == null) return "null";
    if (value instanceof Number || value instanceof Boolean) return value instanceof Double d && (d.isNaN() || d.isInfinite()) ? quote(d.toString()) : value.toString();
    if (value instanceof byte[] bytes) return quote("bytes " + HexFormat.of().formatHex(bytes));
    if (value instanceof Object[] array) return json(Arrays.asList(array));
    if (value instanceof int[] array) return json(Arrays.stream(array).boxed().toList());
    if (value instanceof Collection<?> all) return "[" + String.join(",", all.stream().map(JdbcSteps::json).toList()) + "]";
    if (value instanceof java.sql.Array array) {
      try { return json(array.getArray()); } catch (SQLException error) { return quote("array " + error.getMessage()); }
    }
    if (value instanceof SQLXML xml) {
      try { return quote(xml.getString()); } catch (SQLException error) { return quote("xml " + error.getMessage()); }
    }
    return quote(value.toString());
  }

  static String quote(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 32 || c > 126) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  static void step(String name, Callable<Object> work) {
    try {
      System.out.println("{\"step\":" + quote(name) + ",\"ok\":" + json(work.call()) + "}");
    } catch (Exception error) {
      System.out.println("{\"step\":" + quote(name) + ",\"error\":" + json(failure(error)) + "}");
    }
  }

  static Object[] failure(Exception error) {
    String state = error instanceof SQLException sql ? sql.getSQLState() : error.getClass().getSimpleName();
    return new Object[] {state, String.valueOf(error.getMessage()).split("\n")[0]};
  }

  static List<Object> rows(ResultSet found, String... only) throws SQLException {
    ResultSetMetaData about = found.getMetaData();
    List<Object> out = new ArrayList<>();
    while (found.next()) {
      List<Object> row = new ArrayList<>();
      for (int i = 1; i <= about.getColumnCount(); i++)
        if (only.length == 0 || Arrays.asList(only).contains(about.getColumnName(i))) row.add(found.getObject(i));
      out.add(row);
    }
    found.close();
    return out;
  }

  static Connection connect(String more) throws SQLException {
    return DriverManager.getConnection(base + "?" + more, login);
  }

  public static void main(String[] args) throws Exception {
    URI at = new URI(args[0]);
    boolean gate = args.length > 1;
    base = "jdbc:postgresql://" + at.getHost() + ":" + at.getPort() + at.getPath();
    String[] user = at.getUserInfo().split(":");
    login.setProperty("user", user[0]);
    if (user.length > 1) login.setProperty("password", user[1]);
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    Connection db = connect("ApplicationName=steps");

    step("status", () -> List.of(db.isValid(5), db.getAutoCommit(), db.getTransactionIsolation(), db.getSchema(), db.isReadOnly()));
    for (String mode : List.of("extended", "simple", "extendedForPrepared", "extendedCacheEverything")) {
      step("every type, query mode " + mode, () -> {
        try (Connection other = connect("preferQueryMode=" + mode + "&prepareThreshold=1"); Statement one = other.createStatement()) {
          List<Object> out = new ArrayList<>();
          for (int i = 0; i < 2; i++) out = rows(one.executeQuery("SELECT * FROM kinds WHERE id < 3 ORDER BY id"));
          return out;
        }
      });
    }
    step("parameters", () -> {
      try (PreparedStatement one = db.prepareStatement("SELECT ?::int, ?, ?::text, ?::bytea, ?, ?::timestamptz, ?, ?::jsonb, ?")) {
        one.setInt(1, 7);
        one.setString(2, "it's \\ \u2603");
        one.setNull(3, Types.VARCHAR);
        one.setBytes(4, new byte[] {0, -1, 39});
        one.setBigDecimal(5, new java.math.BigDecimal("1.50"));
        one.setObject(6, java.time.OffsetDateTime.parse("2026-11-24T10:00:00Z"));
        one.setArray(7, db.createArrayOf("int4", new Integer[] {1, null, 3}));
        one.setString(8, "{\"a\": 1}");
        one.setObject(9, UUID.fromString("7b5a7c2e-2f1b-4c3d-9e8f-000102030405"));
        ParameterMetaData about = one.getParameterMetaData();
        return List.of(about.getParameterTypeName(1), about.getParameterTypeName(6), rows(one.executeQuery()));
      }
    });
    step("people, prepared after some runs", () -> {
      List<Object> out = new ArrayList<>();
      try (PreparedStatement one = db.prepareStatement("SELECT id, name, email, ssn, joined FROM people WHERE id = ? OR name = ?")) {
        for (int i = 1; i < 12; i++) {
          one.setInt(1, i);
          one.setString(2, "Person " + (i + 1));
          out.addAll(rows(one.executeQuery()));
        }
      }
      return out;
    });
    step("what the columns are", () -> {
      try (PreparedStatement one = db.prepareStatement("SELECT p.id, p.email AS mail, n.feeling, count(*) OVER () FROM people p JOIN notes n ON n.person = p.id WHERE p.id = ?")) {
        ResultSetMetaData about = one.getMetaData();
        List<Object> out = new ArrayList<>();
        for (int i = 1; i <= about.getColumnCount(); i++)
          out.add(Arrays.asList(about.getColumnName(i), about.getColumnLabel(i), about.getColumnTypeName(i), about.getPrecision(i), about.isAutoIncrement(i), about.getTableName(i), about.isNullable(i)));
        return out;
      }
    });
    step("a cursor, some rows at a time", () -> {
      db.setAutoCommit(false);
      try (PreparedStatement one = db.prepareStatement("SELECT id, email FROM people WHERE id > ? ORDER BY id")) {
        one.setFetchSize(7);
        one.setInt(1, 4);
        return rows(one.executeQuery());
      } finally {
        db.commit();
        db.setAutoCommit(true);
      }
    });
    step("rows that scroll and change", () -> {
      db.setAutoCommit(false);
      try (Statement one = db.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
        ResultSet found = one.executeQuery("SELECT id, person, body FROM notes WHERE id < 4 ORDER BY id");
        found.last();
        found.updateString("body", "changed");
        found.updateRow();
        found.absolute(1);
        String first = found.getString("body");
        return List.of(first, rows(db.createStatement().executeQuery("SELECT body FROM notes WHERE id = 3")));
      } finally {
        db.rollback();
        db.setAutoCommit(true);
      }
    });
    step("a transaction with an error, back to a savepoint", () -> {
      db.setAutoCommit(false);
      List<Object> out = new ArrayList<>();
      try (Statement one = db.createStatement()) {
        one.executeUpdate("INSERT INTO notes (id, person, body) VALUES (1001, 1, 'java')");
        Savepoint here = db.setSavepoint("here");
        for (String text : List.of("SELECT 1 / 0", "SELECT 1"))
          try { one.executeQuery(text); } catch (SQLException error) { out.add(error.getSQLState()); }
        db.rollback(here);
        out.add(rows(one.executeQuery("SELECT body FROM notes WHERE id = 1001")));
        db.rollback();
        out.add(rows(one.executeQuery("SELECT count(*) FROM notes WHERE id = 1001")));
      } finally {
        db.rollback();
        db.setAutoCommit(true);
      }
      return out;
    });
    step("a savepoint before each statement", () -> {
      try (Connection other = connect("autosave=always&cleanupSavepoints=true"); Statement one = other.createStatement()) {
        other.setAutoCommit(false);
        List<Object> out = new ArrayList<>();
        for (String text : List.of("SELECT 1", "SELECT nope", "SELECT 2"))
          try { out.add(rows(one.executeQuery(text))); } catch (SQLException error) { out.add(error.getSQLState()); }
        other.rollback();
        return out;
      }
    });
    for (String more : List.of("", "reWriteBatchedInserts=true"))
      step("a batch " + more, () -> {
        try (Connection other = connect(more)) {
          other.setAutoCommit(false);
          PreparedStatement one = other.prepareStatement("INSERT INTO notes (id, person, body) VALUES (?, ?, ?)");
          for (int i = 1; i < 30; i++) {
            one.setInt(1, 5000 + i);
            one.setInt(2, i);
            one.setString(3, "b " + i);
            one.addBatch();
          }
          one.executeBatch();
          Statement many = other.createStatement();
          many.addBatch("UPDATE notes SET feeling = 'busy' WHERE id = 5001");
          many.addBatch("DELETE FROM notes WHERE id > 5000");
          int[] done = many.executeBatch();
          other.rollback();
          return done;
        }
      });
    step("a batch with an error in the middle", () -> {
      db.setAutoCommit(false);
      try (Statement many = db.createStatement()) {
        for (String text : List.of("UPDATE notes SET feeling = 'busy' WHERE id = 1", "SELEC", "UPDATE notes SET feeling = 'lost' WHERE id = 1")) many.addBatch(text);
        return many.executeBatch();
      } catch (BatchUpdateException error) {
        return List.of(error.getSQLState(), json(error.getUpdateCounts()));
      } finally {
        db.rollback();
        db.setAutoCommit(true);
      }
    });
    step("keys that the database makes", () -> {
      db.setAutoCommit(false);
      try (PreparedStatement one = db.prepareStatement("INSERT INTO notes (person, body) VALUES (1, 'key')", Statement.RETURN_GENERATED_KEYS)) {
        one.executeUpdate();
        ResultSet keys = one.getGeneratedKeys();
        return List.of(keys.next(), keys.getInt("id") > 0);
      } finally {
        db.rollback();
        db.setAutoCommit(true);
      }
    });
    step("several results", () -> {
      try (Statement one = db.createStatement()) {
        List<Object> out = new ArrayList<>();
        boolean more = one.execute("SELECT 1; UPDATE notes SET body = body WHERE id = 1; SELECT 2, 3");
        while (more || one.getUpdateCount() >= 0) {
          out.add(more ? rows(one.getResultSet()) : one.getUpdateCount());
          more = one.getMoreResults();
        }
        return out;
      }
    });
    step("COPY", () -> {
      var copy = db.unwrap(PGConnection.class).getCopyAPI();
      StringWriter out = new StringWriter();
      copy.copyOut("COPY (SELECT id, email FROM people WHERE id < 4 ORDER BY id) TO STDOUT", out);
      long in = copy.copyIn("COPY notes (id, person, body) FROM STDIN", new StringReader("7001\t1\tone\n7002\t2\ttwo\n"));
      return List.of(out.toString(), in, db.createStatement().executeUpdate("DELETE FROM notes WHERE id > 7000"));
    });
    step("a statement whose time is up", () -> {
      try (Statement one = db.createStatement()) {
        one.setQueryTimeout(1);
        return rows(one.executeQuery("SELECT count(*) FROM generate_series(1, 100000000000)"));
      }
    });
    step("cancel", () -> {
      try (Statement one = db.createStatement()) {
        new java.util.Timer(true).schedule(new TimerTask() {
          public void run() {
            try { one.cancel(); } catch (SQLException error) { throw new RuntimeException(error); }
          }
        }, 400);
        return rows(one.executeQuery("SELECT count(*) FROM generate_series(1, 100000000000)"));
      }
    });
    step("read only, serializable", () -> {
      try (Connection other = connect("readOnlyMode=always")) {
        other.setReadOnly(true);
        other.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        other.setAutoCommit(false);
        List<Object> out = rows(other.createStatement().executeQuery("SELECT current_setting('transaction_read_only'), current_setting('transaction_isolation')"));
        other.rollback();
        other.setReadOnly(false);
        return out;
      }
    });
    step("warnings", () -> {
      try (Statement one = db.createStatement()) {
        one.execute("BEGIN; BEGIN; COMMIT");
        return one.getWarnings().getSQLState();
      }
    });
    step("a large object, by calls of functions", () -> db.unwrap(PGConnection.class).getLargeObjectAPI() == null);
    step("schema and client info", () -> {
      db.setSchema("public");
      db.setClientInfo("ApplicationName", "other");
      return List.of(db.getSchema(), db.getClientInfo("ApplicationName"), rows(db.createStatement().executeQuery("SHOW application_name")));
    });

    DatabaseMetaData about = db.getMetaData();
    step("names and limits", () -> List.of(about.getDatabaseProductName(), about.getMaxColumnNameLength(), about.getMaxColumnsInIndex(), about.getSQLKeywords().length() > 100, about.getDefaultTransactionIsolation(), about.getTimeDateFunctions().length()));
    step("getSchemas", () -> rows(about.getSchemas()));
    step("getCatalogs", () -> rows(about.getCatalogs()).size() > 0);
    step("getTableTypes", () -> rows(about.getTableTypes()));
    step("getTables", () -> rows(about.getTables(null, "public", "%", null)));
    step("getTables of the system", () -> rows(about.getTables(null, "pg_catalog", "pg\\_c%", new String[] {"SYSTEM TABLE", "SYSTEM VIEW"})));
    step("getColumns", () -> rows(about.getColumns(null, "public", "%", "%")));
    step("getPrimaryKeys", () -> rows(about.getPrimaryKeys(null, "public", "notes")));
    step("getImportedKeys", () -> rows(about.getImportedKeys(null, "public", "notes")));
    step("getExportedKeys", () -> rows(about.getExportedKeys(null, "public", "people")));
    step("getCrossReference", () -> rows(about.getCrossReference(null, "public", "people", null, "public", "notes")));
    step("getIndexInfo", () -> rows(about.getIndexInfo(null, "public", "notes", false, true), "TABLE_NAME", "NON_UNIQUE", "INDEX_NAME", "COLUMN_NAME", "FILTER_CONDITION"));
    step("getTypeInfo", () -> rows(about.getTypeInfo()));
    step("getUDTs", () -> rows(about.getUDTs(null, "public", "%", null)));
    step("getFunctions", () -> rows(about.getFunctions(null, "pg_catalog", "abs")));
    step("getFunctionColumns", () -> rows(about.getFunctionColumns(null, "pg_catalog", "left", "%")));
    step("getProcedures", () -> rows(about.getProcedures(null, "public", "%")));
    step("getProcedureColumns", () -> rows(about.getProcedureColumns(null, "public", "%", "%")));
    step("getTablePrivileges", () -> rows(about.getTablePrivileges(null, "public", "people")).size() > 0);
    step("getColumnPrivileges", () -> rows(about.getColumnPrivileges(null, "public", "people", "id")).size() > 0);
    step("getBestRowIdentifier", () -> rows(about.getBestRowIdentifier(null, "public", "people", 2, false)));
    step("getVersionColumns", () -> rows(about.getVersionColumns(null, "public", "people")));
    step("getClientInfoProperties", () -> rows(about.getClientInfoProperties()));

    if (gate)
      for (String text : List.of("SELECT * FROM secrets", "DELETE FROM people", "CREATE TABLE x (a int)"))
        try (Statement one = db.createStatement()) {
          one.execute(text);
        } catch (PSQLException error) {
          System.out.println("{\"step\":" + quote("refused: " + text) + ",\"error\":" + json(List.of(error.getSQLState(), error.getServerErrorMessage().getHint())) + "}");
        }
    db.close();
  }
}
