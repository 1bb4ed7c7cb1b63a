/**
 * `own-lines`: a function may have at most `max` lines of its own. Lines of functions written inside it count for those, so that a
 * factory that returns an object of short methods is as short as its longest method.
 */
const isFunction = "FunctionDeclaration, FunctionExpression, ArrowFunctionExpression";

export const ownLines = {
  meta: { type: "suggestion", schema: [{ type: "object", properties: { max: { type: "integer" } } }] },
  create(context) {
    const max = context.options[0]?.max ?? 60;
    /** Lines taken by nested functions, per open function, innermost last. */
    const nested = [];
    return {
      [isFunction]() {
        nested.push(0);
      },
      [`:matches(${isFunction}):exit`](node) {
        const lines = node.loc.end.line - node.loc.start.line + 1;
        const own = lines - (nested.pop() ?? 0);
        if (nested.length > 0) nested[nested.length - 1] += lines - 1;
        if (own > max) context.report({ node, message: `Function has ${own} lines of its own, more than ${max}.` });
      },
    };
  },
};
