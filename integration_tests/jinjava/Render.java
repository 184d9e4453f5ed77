import com.fasterxml.jackson.databind.ObjectMapper;
import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Renders templates with Jinjava and the platform's four filters.
 *
 * <p>In: {"values": {...}, "templates": [...]} as JSON. Out: a list, null for a template with an error.
 */
public class Render {
  private static final Set<String> SWITCHED_ON = Set.of("urlencode", "replace", "b64encode", "codechallengeS256");

  @SuppressWarnings("unchecked")
  public static void main(String[] arguments) throws Exception {
    var json = new ObjectMapper();
    Map<String, Object> asked = json.readValue(System.in, Map.class);
    var values = (Map<String, Object>) asked.get("values");
    var defaults = new Jinjava().getGlobalContext();
    Map<Library, Set<String>> disabled = new HashMap<>();
    disabled.put(
        Library.FILTER,
        defaults.getAllFilters().stream()
            .map(Filter::getName)
            .filter(name -> !SWITCHED_ON.contains(name))
            .collect(Collectors.toSet()));
    var jinjava = new Jinjava(JinjavaConfig.newBuilder().withDisabled(disabled).build());
    jinjava.getGlobalContext().registerFilter(filter("b64encode", Render::base64));
    jinjava.getGlobalContext().registerFilter(filter("codechallengeS256", Render::challenge));
    List<String> rendered = new ArrayList<>();
    for (var template : (List<String>) asked.get("templates")) {
      var result = jinjava.renderForResult(template, values);
      rendered.add(result.hasErrors() ? null : result.getOutput());
    }
    System.out.write(json.writeValueAsString(rendered).getBytes(StandardCharsets.UTF_8));
    System.out.flush();
  }

  private interface Encoding {
    String of(byte[] value) throws Exception;
  }

  private static String base64(byte[] value) {
    return Base64.getEncoder().encodeToString(value);
  }

  private static String challenge(byte[] value) throws Exception {
    var digest = MessageDigest.getInstance("SHA-256").digest(value);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(digest);
  }

  private static Filter filter(String name, Encoding encoding) {
    return new Filter() {
      @Override
      public String getName() {
        return name;
      }

      @Override
      public Object filter(Object value, JinjavaInterpreter interpreter, String... given) {
        try {
          return value instanceof String text ? encoding.of(text.getBytes(StandardCharsets.UTF_8)) : value;
        } catch (Exception failure) {
          throw new IllegalStateException(failure);
        }
      }
    };
  }
}
