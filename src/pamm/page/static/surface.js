// Drawing the photo at its depth with WebGL 2: one vertex for each value, moved along its ray by the graphics card.

const VERTEX = `#version 300 es
in vec2 place;
in float depth;
uniform vec2 slope;
uniform vec3 pivot;
uniform vec2 turn;
uniform float distance;
uniform vec2 zoom;
uniform float size;
out vec2 at;
void main() {
  vec2 ray = (place - 0.5) * vec2(2.0, -2.0) * slope;
  vec3 point = vec3(ray * depth, -depth) - pivot;
  float c = cos(turn.x), s = sin(turn.x);
  point = vec3(c * point.x + s * point.z, point.y, c * point.z - s * point.x);
  c = cos(turn.y), s = sin(turn.y);
  point = vec3(point.x, c * point.y - s * point.z, c * point.z + s * point.y);
  float w = distance - point.z;
  float far = 50.0 * length(pivot) + 1.0, near = far / 5000.0;
  gl_Position = vec4(point.xy * zoom, (far + near) / (far - near) * w - 2.0 * far * near / (far - near), w);
  gl_PointSize = clamp(size * depth / max(w, near), 1.0, 24.0);
  at = place;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
uniform sampler2D skin;
out vec4 colour;
void main() { colour = vec4(texture(skin, at).rgb, 1.0); }`;
// A surface seen more than 85° from its front is a jump from one thing to the next, which the network has smoothed.
const STEEP = 2 * Math.tan((34 * Math.PI) / 180) * Math.tan((85 * Math.PI) / 180);

export class Surface {
  /** @param canvas to draw on. Throws if the browser has no WebGL 2. */
  constructor(canvas) {
    this.canvas = canvas;
    const gl = (this.gl = canvas.getContext("webgl2", { antialias: true, alpha: true }));
    if (!gl) throw new Error("no WebGL 2");
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    gl.enable(gl.DEPTH_TEST);
    this.uniform = (name) => gl.getUniformLocation(program, name);
    [this.places, this.depths, this.corners] = [gl.createBuffer(), gl.createBuffer(), gl.createBuffer()];
    for (const [buffer, name, size] of [[this.places, "place", 2], [this.depths, "depth", 1]]) {
      const index = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(index);
      gl.vertexAttribPointer(index, size, gl.FLOAT, false, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.corners);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [key, value] of [
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
    ]) gl.texParameteri(gl.TEXTURE_2D, key, value);
  }

  /** Take depths, metres, row by row; those that are not positive are left out. */
  setDepths(depths, rows, columns) {
    const { gl } = this;
    const places = new Float32Array(2 * rows * columns);
    for (let row = 0, at = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        places[at++] = (column + 0.5) / columns;
        places[at++] = (row + 0.5) / rows;
      }
    }
    const { corners, loose } = triangles(depths, rows, columns);
    [this.columns, this.pointCount] = [columns, depths.length];
    [this.cornerCount, this.looseCount] = [corners.length, loose.length];
    gl.bindBuffer(gl.ARRAY_BUFFER, this.places);
    gl.bufferData(gl.ARRAY_BUFFER, places, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.depths);
    gl.bufferData(gl.ARRAY_BUFFER, depths, gl.STATIC_DRAW);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, corners.byteLength + loose.byteLength, gl.STATIC_DRAW);
    gl.bufferSubData(gl.ELEMENT_ARRAY_BUFFER, 0, corners);
    gl.bufferSubData(gl.ELEMENT_ARRAY_BUFFER, corners.byteLength, loose);
  }

  /** Take the colours: the photo, or one of its maps. */
  setSkin(image) {
    const { gl } = this;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, image);
  }

  /** Draw. `slope` is half the width and height of the picture at one metre, `look` where it is seen from. */
  draw({ slope, middle, look, points }) {
    const { gl, canvas } = this;
    const sharp = Math.min(devicePixelRatio, 2);
    [canvas.width, canvas.height] = [Math.round(canvas.clientWidth * sharp), Math.round(canvas.clientHeight * sharp)];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const shape = canvas.width / canvas.height;
    // at rest the photo fills the canvas as far as its shape allows
    const fit = Math.min(shape / slope[0], 1 / slope[1]);
    gl.uniform2f(this.uniform("slope"), ...slope);
    gl.uniform3f(this.uniform("pivot"), 0, 0, -middle);
    gl.uniform2f(this.uniform("turn"), look.yaw, look.pitch);
    gl.uniform1f(this.uniform("distance"), middle * look.distance);
    gl.uniform2f(this.uniform("zoom"), fit / shape, fit);
    gl.uniform1f(this.uniform("size"), (1.6 * fit * slope[0] * canvas.height) / this.columns);
    if (points) {
      gl.drawArrays(gl.POINTS, 0, this.pointCount);
      return;
    }
    gl.drawElements(gl.TRIANGLES, this.cornerCount, gl.UNSIGNED_INT, 0);
    gl.drawElements(gl.POINTS, this.looseCount, gl.UNSIGNED_INT, 4 * this.cornerCount);
  }
}

/**
 * Two triangles between each four neighbours, but none across a jump in depth. The neighbours there are drawn as points,
 * so that nothing of the photo is left out.
 */
function triangles(depths, rows, columns) {
  const corners = new Uint32Array(6 * (rows - 1) * (columns - 1));
  const torn = new Uint8Array(depths.length);
  const most = 1 + STEEP / Math.max(rows, columns);
  let count = 0;
  const whole = (a, b, c) => {
    const low = Math.min(depths[a], depths[b], depths[c]);
    return low > 0 && Math.max(depths[a], depths[b], depths[c]) < most * low;
  };
  for (let row = 0; row < rows - 1; row++) {
    for (let column = 0; column < columns - 1; column++) {
      const a = row * columns + column;
      for (const three of [[a, a + columns, a + 1], [a + 1, a + columns, a + columns + 1]]) {
        if (whole(...three)) {
          corners.set(three, count);
          count += 3;
        } else for (const corner of three) torn[corner] = 1;
      }
    }
  }
  const loose = Uint32Array.from(depths.keys()).filter((index) => torn[index] && depths[index] > 0);
  return { corners: corners.subarray(0, count), loose };
}
