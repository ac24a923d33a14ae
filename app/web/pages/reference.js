// The page of the API: everything comes from this service, and nothing is asked of anybody else.
SwaggerUIBundle({
  url: "/openapi/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false, // a key is forgotten with the page
  validatorUrl: null,
});
