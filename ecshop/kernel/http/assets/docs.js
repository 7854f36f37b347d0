SwaggerUIBundle({
  url: document.currentScript.src.replace("assets/docs.js", "openapi.json"),
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
